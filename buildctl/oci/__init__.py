"""OCI image layouts on disk: directories of blobs by digest, and the index that names them."""
