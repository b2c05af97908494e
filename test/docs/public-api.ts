import ts from 'typescript';
import manifest from '../../package.json' with { type: 'json' };
import { programOf } from './compiler.js';
import { ROOT } from './markdown.js';

/** What the compiler knows of the entry points that package.json exports. */
export class PublicApi {
  /** How users import them. */
  readonly entryPoints: readonly string[] = Object.keys(manifest.exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => path.replace('.', manifest.name));
  readonly #checker: ts.TypeChecker;
  readonly #exports = new Map<string, readonly ts.Symbol[]>();

  constructor() {
    const path = `${ROOT}public-api.ts`;
    const imports = this.entryPoints.map((name, index) => `export * as _${index} from '${name}';`);
    const program = programOf(new Map([[path, imports.join('\n')]]));
    this.#checker = program.getTypeChecker();
    const module = this.#checker.getSymbolAtLocation(program.getSourceFile(path) as ts.SourceFile);
    const namespaces = module ? this.#checker.getExportsOfModule(module) : [];
    for (const [index, name] of this.entryPoints.entries()) {
      const namespace = this.#resolved(namespaces[index] as ts.Symbol);
      this.#exports.set(
        name,
        this.#checker.getExportsOfModule(namespace).map((found) => this.#resolved(found)),
      );
    }
  }

  /** Whether a name is declared in this folder of `lib/`. */
  isDeclaredIn(folder: string, name: string): boolean {
    return (
      this.#find(name).declarations?.[0]?.getSourceFile().fileName.startsWith(`${ROOT}lib/${folder}/`) ??
      false
    );
  }

  /** The public members of an exported type. */
  membersOf(typeName: string): string[] {
    return this.#membersOf(typeName).map(({ name }) => name);
  }

  /** The exported types that hold options, by their names. */
  get optionTypes(): readonly string[] {
    const names = this.entryPoints.flatMap((name) => this.#exportsOf(name)).map(({ name }) => name);
    return [...new Set(names.filter((name) => name.endsWith('Options')))];
  }

  /** The members of the object literals that a member of an exported type may be, such as `{ type, delayMs }`. */
  nestedMembersOf(typeName: string, memberName: string): string[] {
    const type = this.#typeOf(typeName, memberName);
    return (type.isUnion() ? type.types : [type])
      .filter((one) => one.getSymbol()?.name === '__type')
      .flatMap((one) => one.getProperties().map(({ name }) => name));
  }

  /** The `@default` of each member of an exported type that has one. */
  defaultsOf(typeName: string): ReadonlyMap<string, string> {
    const defaults = new Map<string, string>();
    for (const member of this.#membersOf(typeName)) {
      const tag = member.getJsDocTags(this.#checker).find(({ name }) => name === 'default');
      if (tag) defaults.set(member.name, ts.displayPartsToString(tag.text));
    }
    return defaults;
  }

  /** The texts that a member of an exported type may be. */
  literalsOf(typeName: string, memberName: string): string[] {
    const type = this.#typeOf(typeName, memberName);
    const types = type.isUnion() ? type.types : [type];
    return types.filter((one) => one.isStringLiteral()).map(({ value }) => value);
  }

  /** The name of the class that a member of an exported type is of. */
  classOf(typeName: string, memberName: string): string | undefined {
    return this.#typeOf(typeName, memberName).getSymbol()?.name;
  }

  #typeOf(typeName: string, memberName: string): ts.Type {
    const member = this.#membersOf(typeName).find(({ name }) => name === memberName);
    if (!member) throw new Error(`${typeName} has no ${memberName}`);
    return this.#checker.getTypeOfSymbol(member);
  }

  #membersOf(typeName: string): ts.Symbol[] {
    return this.#checker.getDeclaredTypeOfSymbol(this.#find(typeName)).getProperties().filter(isPublic);
  }

  #find(name: string): ts.Symbol {
    const found = this.entryPoints
      .flatMap((entryPoint) => this.#exportsOf(entryPoint))
      .find((one) => one.name === name);
    if (!found) throw new Error(`no entry point exports ${name}`);
    return found;
  }

  #exportsOf(entryPoint: string): readonly ts.Symbol[] {
    return this.#exports.get(entryPoint) ?? [];
  }

  #resolved(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }
}

/** Nest's lifecycle hooks, and members that are marked as internal, are not for users to call. */
function isPublic(member: ts.Symbol): boolean {
  if (
    member.name.startsWith('__#') ||
    member.name.startsWith('#') ||
    /^(?:on|before)(?:Module|Application)/.test(member.name)
  )
    return false;
  if (member.getJsDocTags().some(({ name }) => name === 'internal')) return false;
  return !member.declarations?.some(
    (declaration) => ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private,
  );
}
