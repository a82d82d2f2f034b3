"""The pages: sign-in, portal and console."""
