"""The business questions, one module each, named after the question. `app.analytics.question` has the form."""
