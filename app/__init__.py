"""Customer behaviour of an eCommerce store: what an event is, the questions, the two pipelines and what shows them."""
