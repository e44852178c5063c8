"""The streaming pipeline: a replayer that publishes event files to Pub/Sub, and a Beam pipeline into BigQuery."""
