"""Routes of notify, one module a resource."""
