//! What answers HTTP for PHP.
//!
//! The image has no shell and runs one program. PHP-FPM alone speaks FastCGI, not HTTP; in front of it stands a second
//! server, and two programs need a supervisor, which is one more thing that can fail unseen. FrankenPHP is not packaged.
//! `php -S` is a development server by its own documentation. The Apache server with PHP as a module is one program,
//! made for production, packaged for every stream of PHP, runs without root and on a read-only file system, reads
//! `PORT` from the environment, stops at SIGTERM, and honours the `.htaccess` files that many apps bring. So it is used.

use crate::detect::repo::Dir;

/// Where the configuration is in the image.
pub(super) const CONFIG: &str = "/etc/peelbox/httpd.conf";

/// Where the build writes it.
pub(super) const BUILT: &str = "/out/httpd.conf";

/// The port, where the environment says nothing else.
pub(super) const PORT: u16 = 8080;

const MODULES: &str = "/usr/lib/apache2/modules";

/// Modules that `.htaccess` files use, and those that the configuration itself needs.
const LOADED: &[&str] = &[
    "alias",
    "authz_core",
    "authz_host",
    "deflate",
    "dir",
    "env",
    "expires",
    "filter",
    "headers",
    "mime",
    "negotiation",
    "rewrite",
    "setenvif",
];

/// How an app is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// The directory with the pages, relative to the app's; empty for the app's own.
    pub(super) docroot: String,
    /// Whether `index.php` answers for every path that is no file.
    pub(super) has_front_controller: bool,
    /// Whether the pages bring settings of their own.
    pub(super) has_htaccess: bool,
}

/// The program and its arguments.
pub(super) fn command() -> Vec<String> {
    ["/usr/bin/httpd", "-D", "FOREGROUND", "-f", CONFIG]
        .map(str::to_owned)
        .to_vec()
}

/// The build command that writes the configuration.
pub(super) fn write(site: &Site) -> String {
    let text = configuration(site);
    format!("mkdir -p /out && cat > {BUILT} <<'EOF'\n{text}EOF")
}

fn configuration(site: &Site) -> String {
    let root = match site.docroot.as_str() {
        "" => "/app".to_owned(),
        docroot => format!("/app/{docroot}"),
    };
    let mut lines = vec![
        "ServerRoot \"/app\"".to_owned(),
        "ServerName localhost".to_owned(),
        "ServerTokens Prod".to_owned(),
        "Listen ${PORT}".to_owned(),
        // The one place that can be written to where the file system cannot.
        "PidFile \"/dev/shm/httpd.pid\"".to_owned(),
    ];
    // Some builds of the server have these two built in.
    for module in ["log_config", "unixd"] {
        lines.push(format!("<IfModule !{module}_module>"));
        lines.push(format!("  {}", load(module)));
        lines.push("</IfModule>".to_owned());
    }
    lines.push(load("mpm_prefork"));
    lines.extend(LOADED.iter().map(|module| load(module)));
    lines.push(format!("LoadModule php_module {MODULES}/libphp.so"));
    lines.extend(
        [
            "ErrorLog \"/dev/stderr\"",
            "LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" common",
            "CustomLog \"/dev/stdout\" common",
            "TypesConfig /etc/apache2/mime.types",
            // What the environment says is then in $_ENV, where the module would leave it out.
            "php_admin_value variables_order EGPCS",
            "php_admin_flag expose_php Off",
        ]
        .map(str::to_owned),
    );
    lines.extend(pages(site, &root));
    lines.push(String::new());
    lines.join("\n")
}

fn load(module: &str) -> String {
    format!("LoadModule {module}_module {MODULES}/mod_{module}.so")
}

fn pages(site: &Site, root: &str) -> Vec<String> {
    let overrides = if site.has_htaccess { "All" } else { "None" };
    let mut lines = vec![
        format!("DocumentRoot \"{root}\""),
        "<Directory \"/\">".to_owned(),
        "  AllowOverride None".to_owned(),
        "  Require all denied".to_owned(),
        "</Directory>".to_owned(),
        format!("<Directory \"{root}\">"),
        format!("  AllowOverride {overrides}"),
        "  Options FollowSymLinks".to_owned(),
        "  Require all granted".to_owned(),
        "  DirectoryIndex index.php index.html".to_owned(),
    ];
    if site.has_front_controller {
        lines.push("  FallbackResource /index.php".to_owned());
    }
    lines.push("</Directory>".to_owned());
    lines.push("<FilesMatch \"\\.php$\">".to_owned());
    lines.push("  SetHandler application/x-httpd-php".to_owned());
    lines.push("</FilesMatch>".to_owned());
    lines.push("RedirectMatch 404 \"/\\.(?!well-known(/|$))\"".to_owned());
    if site.docroot.is_empty() {
        lines.push("RedirectMatch 404 \"^/(composer\\.(json|lock)$|vendor/)\"".to_owned());
    }
    lines
}

/// How the pages in `dir` are served; `docroot` is its path, relative to the app's directory.
pub(super) fn site(dir: Option<Dir<'_>>, docroot: &str, is_framework: bool) -> Site {
    let programs = dir.map_or(0, |dir| {
        let is_program = |name: &&crate::detect::repo::Name| name.ends_with(".php");
        dir.files().iter().filter(is_program).count()
    });
    Site {
        docroot: docroot.to_owned(),
        has_front_controller: is_framework || programs == 1,
        has_htaccess: dir.is_some_and(|dir| dir.has(".htaccess")),
    }
}
