"""Who the readers are: subscribers, what they consented to, tags, suppressions; import, export, erase."""
