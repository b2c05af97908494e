import { Injectable } from '@nestjs/common';

/** The organizations that are our customers. A real application would query its database. */
@Injectable()
export class TenantRegistry {
  readonly #members = new Map<string, Set<string>>([['org_customer', new Set()]]);

  isTenant(organizationId: string): boolean {
    return this.#members.has(organizationId);
  }

  add(organizationId: string, userId: string): void {
    this.#members.get(organizationId)?.add(userId);
  }

  membersOf(organizationId: string): readonly string[] {
    return [...(this.#members.get(organizationId) ?? [])];
  }
}
