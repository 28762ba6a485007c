"""The service floor of both packages: errors, files, console, images, staging, locks."""
