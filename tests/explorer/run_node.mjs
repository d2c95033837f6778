// node run_node.mjs CASES RESULTS
import { readFileSync, writeFileSync } from "node:fs";
import { compute } from "./compute.mjs";

const [, , cases, results] = process.argv;
writeFileSync(results, JSON.stringify(compute(JSON.parse(readFileSync(cases, "utf8")))));
