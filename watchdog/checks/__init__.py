"""What `sentimentagent doctor` looks at: one module a group, none of which knows another."""
