"""The content a new installation begins with: an article, its gift, its series, its form."""
