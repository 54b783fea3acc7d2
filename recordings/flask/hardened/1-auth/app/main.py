from flask import Flask

from . import auth, db, errors

app = Flask(__name__, static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = 256 * 1024
db.prepare()
errors.register(app)
app.register_blueprint(auth.bp)


@app.get("/api/health")
def health():
    return {"status": "ok"}
