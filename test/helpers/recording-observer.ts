import type {
  ObservedAttempt,
  ObservedDelivery,
  ObservedInbox,
  ObservedRecovery,
  ObservedRun,
  ScalekitWebhooksObserver,
} from 'nestjs-scalekit-webhooks';

/** Records everything that it is told. */
export class RecordingObserver implements ScalekitWebhooksObserver {
  readonly deliveries: ObservedDelivery[] = [];
  readonly runs: ObservedRun[] = [];
  readonly recoveries: ObservedRecovery[] = [];
  readonly inbox: ObservedInbox[] = [];
  readonly attempts: ObservedAttempt[] = [];

  onDelivery(delivery: ObservedDelivery): void {
    this.deliveries.push(delivery);
  }

  onRun(run: ObservedRun): void {
    this.runs.push(run);
  }

  onRecovery(recovery: ObservedRecovery): void {
    this.recoveries.push(recovery);
  }

  onInbox(inbox: ObservedInbox): void {
    this.inbox.push(inbox);
  }

  traceRun(attempt: ObservedAttempt, work: () => Promise<ObservedRun>): void {
    this.attempts.push(attempt);
    void work();
  }

  get told(): object {
    const { deliveries, runs, recoveries, inbox, attempts } = this;
    return { deliveries, runs, recoveries, inbox, attempts };
  }
}
