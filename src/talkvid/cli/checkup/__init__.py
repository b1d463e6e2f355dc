"""What `talkvid doctor` looks at, a file per topic; nothing here needs anything but the standard library."""
