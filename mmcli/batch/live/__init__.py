"""Rows that arrive one after another, in any order: joined by id and event time, answered at once and finally."""
