"""Notifications: what a channel wants to know, the news of a run, and the message for each kind of channel."""
