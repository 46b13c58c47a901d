"""What members and visitors see: the library, buying, their account, signing in."""
