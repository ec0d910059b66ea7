/** The program `overland`: reads the command line; the commands are in cli/. */
import { overlandProgram } from "./cli/program.ts";
import { run } from "./cli/run.ts";
import { endWhenOutputCloses } from "./cli/terminal.ts";

endWhenOutputCloses();
process.exitCode = await run(await overlandProgram(process.argv[2]), process.argv);
