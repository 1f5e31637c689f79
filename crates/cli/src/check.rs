//! `check-config`: reads a configuration, says what is wrong with it or what it amounts to.

use millstream::server::config::Config;

use crate::args::CheckConfig;
use crate::exit::Exit;
use crate::say;

pub(crate) fn run(args: &CheckConfig) -> anyhow::Result<Exit> {
    let config = Config::load(Some(&args.file), &args.set)?;
    say::line(&format!("# {} is fine. In effect:\n", args.file.display()));
    say::line(config.explain().trim_end());
    let notices = config.notices();
    if !notices.is_empty() {
        say::line("\n# Worth knowing:");
        notices.iter().for_each(|n| say::line(&format!("#   {n}")));
    }
    Ok(Exit::Done)
}
