"""Learning for a place where labels are few or none, from places where they are."""
