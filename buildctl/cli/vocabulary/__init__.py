"""What can be typed inside a flag's value, as data: for help, reference pages and completion alike."""
