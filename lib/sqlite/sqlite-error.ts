import { column } from './select-json.js';

// SQLITE_BUSY and SQLITE_LOCKED; the bits above the lowest 8 tell the reason.
const BUSY = 5;
const LOCKED = 6;
const PRIMARY_CODE = 0xff;

/** Whether another transaction is in the way, for now: another connection's, or one that is open on this one. */
export function isOccupiedError(error: unknown): boolean {
  return isBusyError(error) || isNestedTransactionError(error);
}

function isBusyError(error: unknown): boolean {
  const code = column(error, 'code');
  if (typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)) return true;
  const errcode = column(error, 'errcode');
  return typeof errcode === 'number' && [BUSY, LOCKED].includes(errcode & PRIMARY_CODE);
}

/** Whether BEGIN failed because a transaction is open on this very connection. */
export function isNestedTransactionError(error: unknown): boolean {
  return error instanceof Error && error.message.includes('cannot start a transaction within a transaction');
}
