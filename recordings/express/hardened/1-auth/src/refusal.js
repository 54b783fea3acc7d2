import { STATUS_CODES } from 'node:http';

export class Refusal extends Error {
  constructor(status, detail, headers = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

export function noSuchRoute() {
  throw new Refusal(404, 'no such route');
}

/** A refusal is answered as it is; of any other error only the status is told. */
export function answerError(error, req, res, next) {
  if (res.headersSent) return next(error);
  if (error instanceof Refusal) {
    return res.status(error.status).set(error.headers).json({ detail: error.message });
  }
  // Express's own parsers throw errors with a status for what the client did wrong.
  const status = error.status >= 400 && error.status < 500 ? error.status : 500;
  if (status === 500) console.error(error);
  res.status(status).json({ detail: STATUS_CODES[status] });
}
