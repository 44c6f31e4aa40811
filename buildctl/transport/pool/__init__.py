"""Several daemons behind one address: which they are, which one is to be taken, and what is known of them."""
