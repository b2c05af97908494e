import { fromStorableText, toStorableText } from '../errors/safe-text.js';
import type { InboxKey } from '../inbox/inbox-queries.js';
import type { StoredDelivery, StoredTexts } from '../inbox/payload-protection.js';
import type { PostgresConnection } from './postgres.connection.js';
import { toKey } from './postgres.reads.js';
import type { PostgresTables } from './postgres.schema.js';
import type { PostgresRow } from './postgres-queryable.js';

/** Reads and replaces what is stored of an event, as it is stored. */
export class PostgresTexts {
  readonly #read: string;
  readonly #delivery: string;
  readonly #replace: string;

  constructor(
    { events, application }: PostgresTables,
    private readonly connection: PostgresConnection,
  ) {
    const isIt = `application = ${application} AND endpoint = $1::text AND event_id = $2::text`;
    this.#read = `
SELECT encode(payload, 'base64') AS payload, delivery FROM ${events}
WHERE ${isIt} AND payload IS NOT NULL`;
    this.#delivery = `SELECT delivery FROM ${events} WHERE ${isIt}`;
    // Values: endpoint, event id, the old payload, the new payload, the delivery. Returns no row if it is not the old payload.
    this.#replace = `
WITH replaced AS (
  UPDATE ${events} SET payload = decode($4::text, 'base64'), delivery = $5::text
  WHERE ${isIt} AND payload = decode($3::text, 'base64')
  RETURNING event_id
)
SELECT event_id FROM replaced`;
  }

  /** Undefined if there is no payload. */
  async read(key: InboxKey): Promise<StoredTexts | undefined> {
    const [row] = await this.connection.ask(this.#read, toKey(key));
    if (!row) return undefined;
    const delivery = toDelivery(row);
    return { payload: Buffer.from(String(row.payload), 'base64'), ...(delivery && { delivery }) };
  }

  async delivery(key: InboxKey): Promise<StoredDelivery | undefined> {
    const [row] = await this.connection.ask(this.#delivery, toKey(key));
    return row && toDelivery(row);
  }

  /** Only if the payload is still the old one. Resolves to whether it was. */
  async replace(key: InboxKey, old: Uint8Array, texts: StoredTexts): Promise<boolean> {
    const { payload, delivery } = toTexts(texts);
    const values = [...toKey(key), toTexts({ payload: old }).payload, payload, delivery];
    return (await this.connection.ask(this.#replace, values)).length > 0;
  }
}

/** The columns of what is stored of an event. */
export function toTexts({ payload, delivery }: StoredTexts): { payload: string; delivery: string | null } {
  return {
    payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
    delivery: delivery ? toStorableText(JSON.stringify(delivery)) : null,
  };
}

/** How the event of a row arrived, if that is stored. */
export function toDelivery({ delivery = null }: PostgresRow): StoredDelivery | undefined {
  return JSON.parse(fromStorableText(String(delivery))) ?? undefined;
}
