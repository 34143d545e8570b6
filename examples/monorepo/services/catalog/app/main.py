"""The books of the shop, over HTTP."""

import os
import platform

import pydantic_core
import uvicorn
from fastapi import FastAPI, HTTPException

from app.books import BOOKS, Book

app = FastAPI(title="catalog")


@app.get("/healthz")
def healthz() -> dict[str, str]:
    return {
        "status": "ok",
        "python": platform.python_version(),
        "pydantic_core": pydantic_core.__version__,
    }


@app.get("/books")
def books(author: str | None = None) -> list[Book]:
    return [book for book in BOOKS.values() if author in (None, book.author)]


@app.get("/books/{isbn}")
def book(isbn: str) -> Book:
    if isbn not in BOOKS:
        raise HTTPException(status_code=404, detail="no such book")
    return BOOKS[isbn]


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
