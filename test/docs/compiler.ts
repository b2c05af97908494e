import ts from 'typescript';
import { ROOT } from './markdown.js';

/** The repository's TypeScript, with sources that need not exist on disk, by their absolute paths. */
export function programOf(sources: ReadonlyMap<string, string>): ts.Program {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  return ts.createProgram([...sources.keys()], options, host);
}

/** What the compiler says of one file, each message with its line in that file. */
export function errorsOf(program: ts.Program, path: string): { line: number; message: string }[] {
  return ts
    .getPreEmitDiagnostics(program, program.getSourceFile(path))
    .map(({ file, start = 0, messageText }) => ({
      line: (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1,
      message: ts.flattenDiagnosticMessageText(messageText, ' '),
    }));
}
