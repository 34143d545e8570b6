"""Run by: uv run python -m unittest discover tests"""

import unittest

from fastapi.testclient import TestClient

from app.main import app


class Books(unittest.TestCase):
    client = TestClient(app)

    def test_books_of_one_author_are_found(self) -> None:
        answer = self.client.get("/books", params={"author": "Jane Austen"})
        self.assertEqual([book["title"] for book in answer.json()], ["Pride and Prejudice"])

    def test_an_unknown_isbn_is_not_found(self) -> None:
        self.assertEqual(self.client.get("/books/0").status_code, 404)


if __name__ == "__main__":
    unittest.main()
