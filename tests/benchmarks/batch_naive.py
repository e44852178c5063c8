"""The usual batch job, as the measure that ours is compared with: `python -m tests.benchmarks.batch_naive FILE`."""

import sys

from app.analytics import QUESTIONS
from app.analytics.sql import compile_question

_VIEW = """
    SELECT CAST(uuid() AS BINARY) AS event_id, to_timestamp(substring(event_time, 1, 19)) AS event_time, event_type,
        product_id, category_id, category_code, split_part(category_code, '.', 1) AS department,
        nullif(split_part(category_code, '.', 2), '') AS sub_category,
        nullif(split_part(category_code, '.', 3), '') AS product,
        brand, CAST(price AS DECIMAL(12, 2)) AS price, user_id, user_session, price = 0 AS zero_price,
        user_session IS NULL AS missing_session
    FROM raw
"""


def main() -> None:
    """Answer every question from the CSV file."""
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[*]").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    for name in QUESTIONS:
        rows = spark.read.csv(sys.argv[1], header=True, inferSchema=True)
        rows.withColumn("event_time", rows.event_time.cast("string")).createOrReplaceTempView("raw")
        spark.sql(_VIEW).createOrReplaceTempView("events")
        spark.sql(compile_question(name, "pyspark")).collect()
    spark.stop()


if __name__ == "__main__":
    main()
