"""The batch pipeline: a PySpark job that reads event files, keeps the events as Parquet and answers every question.

    event files ── splits ── parts (Parquet) ── duplicates ── events ── facts ── answers ── stores
                                  └── base: what the next run adds files to

`run.py` reads as this line; `job.py` is the command.
"""
