import helmet from 'helmet';

const CSP = { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], sandbox: [] } };

function noStore(req, res, next) {
  res.set('Cache-Control', 'no-store');
  next();
}

/** On every reply, whoever makes it. */
export const headers = [helmet({ contentSecurityPolicy: CSP, frameguard: { action: 'deny' } }), noStore];
