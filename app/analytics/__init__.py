"""The business questions: one Ibis expression each, the same rows on BigQuery, Spark and DuckDB.

`QUESTIONS` holds them with their words, `app.analytics.sql` compiles them, `app.analytics.facts` has what they share.
"""

from app.analytics.facts import FACTS, Fact
from app.analytics.question import Column, Question
from app.analytics.registry import QUESTIONS

__all__ = ["FACTS", "QUESTIONS", "Column", "Fact", "Question"]
