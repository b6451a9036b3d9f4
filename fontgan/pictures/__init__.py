"""Contact sheets and pictures of style paths."""
