"""Pictures of exercises drawn from poses: joint angles in, SVG, PNG and GIF out. Pure drawing."""
