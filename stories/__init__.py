"""Each kind of task and file once through the command line, on real data: `make stories`; docs/stories.md tells what came out."""
