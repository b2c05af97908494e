import { ScalekitWebhooksConfigurationError } from '../errors/errors.js';

/**
 * Refuses the use of a transaction that has ended. Work can continue after its deadline, and by then its connection
 * may have another transaction.
 */
export class TransactionFence {
  #hasEnded = false;

  /** The transaction, or one of its statements, as its work can use it until the end. */
  around<T extends object>(target: T): T {
    // Drizzle passes a nested transaction, which is of the same class, to the work of `transaction`.
    const nested = (work: unknown): unknown =>
      typeof work === 'function'
        ? (inner: unknown, ...rest: unknown[]) =>
            work(isSameClass(inner, target) ? this.around(inner) : inner, ...rest)
        : work;
    const fenced: T = new Proxy(target, {
      get: (_target, name) => {
        this.#requireOpen();
        // The native classes of drivers work only with the object itself as `this`.
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function' || name === 'constructor') return value;
        return (...args: unknown[]) => {
          this.#requireOpen();
          const result: unknown = Reflect.apply(
            value,
            target,
            name === 'transaction' ? args.map(nested) : args,
          );
          if (result === target) return fenced;
          if (typeof result === 'function') return this.#aroundCall(result);
          return isStatement(result) ? this.around(result) : result;
        };
      },
    });
    return fenced;
  }

  /** The transaction is committed or rolled back. */
  end(): void {
    this.#hasEnded = true;
  }

  /** `transaction` of better-sqlite3 and libsql returns a function. */
  #aroundCall(callee: object): object {
    return new Proxy(callee as () => unknown, {
      apply: (target, self, args) => {
        this.#requireOpen();
        return Reflect.apply(target, self, args);
      },
    });
  }

  #requireOpen(): void {
    if (this.#hasEnded) throw new ScalekitWebhooksConfigurationError('transaction', TRANSACTION_ENDED);
  }
}

function isSameClass(value: unknown, target: object): value is object {
  return typeof value === 'object' && value !== null && value.constructor === target.constructor;
}

/** A prepared statement of a SQLite driver: it runs on the connection on which it was prepared. */
function isStatement(result: unknown): result is object {
  return typeof result === 'object' && result !== null && 'run' in result && 'all' in result;
}

const TRANSACTION_ENDED =
  'The transaction has ended, so the statement was not executed. The work had failed or returned, or its time was over. Await every statement inside delivery.transaction(), and stop when delivery.signal fires.';
