const PAGE = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');
const API = "default-src 'none'; frame-ancestors 'none'; sandbox";

const EVERYWHERE = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
};

/** On every reply, whoever makes it. Set as the reply begins, because Next sets some of these names itself. */
export function setHeaders(response, api, more) {
  const writeHead = response.writeHead;
  response.writeHead = function (...values) {
    const headers = { ...EVERYWHERE, 'Content-Security-Policy': api ? API : PAGE };
    if (api) headers['Cache-Control'] = 'no-store';
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    for (const [name, value] of more) response.appendHeader(name, value);
    return writeHead.apply(response, values);
  };
}
