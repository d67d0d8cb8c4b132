"""Tasks: one interface to the task managers that people already use, chosen for each domain in the agent map."""
