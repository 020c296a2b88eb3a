"""Tables as other programs and libraries read them."""
