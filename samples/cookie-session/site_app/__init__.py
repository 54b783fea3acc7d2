"""A journal: HTML forms, a signed session cookie, blueprints under prefixes of their own."""
import os
import sqlite3

from flask import Flask, g


def database():
    if "db" not in g:
        g.db = sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///"))
        g.db.row_factory = sqlite3.Row
    return g.db


def create_app():
    app = Flask(__name__)
    app.secret_key = os.environ["SECRET_KEY"]
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=1 << 20)
    with app.app_context():
        database().executescript(
            """CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT);
               CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, user_id INTEGER, subject TEXT, content TEXT);"""
        )
    from . import account, journal

    app.register_blueprint(account.bp, url_prefix="/account")
    app.register_blueprint(journal.bp, url_prefix="/journal")

    @app.teardown_appcontext
    def close(_):
        db = g.pop("db", None)
        if db is not None:
            db.close()

    @app.get("/account/reset-everything")
    def reset():
        database().executescript("DELETE FROM users; DELETE FROM entries;")
        return "gone"

    return app
