"""The business questions, one Ibis expression each."""
