"""Runs once and ends, as a scheduled job does."""

import os

import psycopg2
from psycopg2.extensions import libpq_version

UNBOOKED = "UPDATE orders SET booked = true WHERE paid AND NOT booked"


def book(url: str) -> int:
    """Books every paid order that is not booked yet, and returns how many there were."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(UNBOOKED)
            return cursor.rowcount
    finally:
        connection.close()


def main() -> None:
    print(f"worker: libpq {libpq_version()} ready", flush=True)
    url = os.environ.get("DATABASE_URL")
    if url is None:
        print("worker: DATABASE_URL is not set, nothing to book")
        return
    print(f"worker: {book(url)} orders booked")
