from flask import Flask

from . import admin, auth, db, errors, files, notes

app = Flask(__name__, static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
db.prepare()
admin.create_admin()
errors.register(app)
app.register_blueprint(auth.bp)
app.register_blueprint(files.bp)
app.register_blueprint(notes.bp)
app.register_blueprint(admin.bp)


@app.get("/api/health")
def health():
    return {"status": "ok"}
