"""What a subscriber likes, learned from papers that they liked and disliked."""
