"""What makes drafts on the device."""
