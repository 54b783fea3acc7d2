import signal
import sys

from flask import Flask

from . import admin, auth, cors, db, errors, files, headers, notes, webhooks

app = Flask(__name__, static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
# waitress ends in order when it is told to exit, but does not listen for this itself.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
db.prepare()
admin.create_admin()
errors.register(app)
cors.register(app)
headers.register(app)
app.register_blueprint(auth.bp)
app.register_blueprint(files.bp)
app.register_blueprint(notes.bp)
app.register_blueprint(admin.bp)
app.register_blueprint(webhooks.bp)


@app.get("/api/health")
def health():
    return {"status": "ok"}
