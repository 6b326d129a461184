"""What a user names, made into titles and seasons: files, folders, patterns, URLs, season files."""
