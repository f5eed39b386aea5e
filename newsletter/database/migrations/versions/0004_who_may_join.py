"""who may join a series; what of a day is counted"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sequences", schema=None) as batch_op:
        batch_op.add_column(sa.Column("entry", sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
    with op.batch_alter_table("sent_days", schema=None) as batch_op:
        batch_op.alter_column("zone", new_column_name="part", existing_type=sa.String(64), existing_nullable=False)


def downgrade() -> None:
    # Counts of hours and of tags would be read as those of nobody's zone: they are only a cache.
    op.execute("DELETE FROM sent_days WHERE part LIKE '% hour %' OR part LIKE '% tag %'")
    with op.batch_alter_table("sent_days", schema=None) as batch_op:
        batch_op.alter_column("part", new_column_name="zone", existing_type=sa.String(64), existing_nullable=False)
    with op.batch_alter_table("sequences", schema=None) as batch_op:
        batch_op.drop_column("entry")
