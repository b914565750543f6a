"""What every other package uses: errors, whole files, console output, HTML pages."""
