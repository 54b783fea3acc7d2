export const COLUMNS = 'id, title, body, created_at';

export const ORDERS = new Map([
  ['title', 'title'],
  ['created_at', 'created_at DESC'],
]);
