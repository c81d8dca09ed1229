//! Whether a window can be shown.

/// Why no window can be shown in a build without the feature `gui`.
pub const NO_WINDOW_IN_BUILD: &str = "this build of Mien has no window";

/// Why no window can be shown; `None` if one can, as far as can be told without opening one.
pub fn why_none() -> Option<&'static str> {
    if cfg!(feature = "gui") { system::why_none() } else { Some(NO_WINDOW_IN_BUILD) }
}

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::env;
    use std::path::{Path, PathBuf};

    pub fn why_none() -> Option<&'static str> {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let wayland = variable("WAYLAND_DISPLAY");
        let x11 = variable("DISPLAY");
        if wayland.is_none() && x11.is_none() {
            return Some("neither WAYLAND_DISPLAY nor DISPLAY is set");
        }
        let there = wayland.is_some_and(|name| wayland_socket(&name).is_some_and(|socket| socket.exists()))
            || x11.is_some_and(|name| x11_socket(&name).is_none_or(|socket| socket.exists()));
        (!there).then_some("the display that WAYLAND_DISPLAY or DISPLAY names doesn't exist")
    }

    /// Where a Wayland compositor of this name listens.
    fn wayland_socket(name: &str) -> Option<PathBuf> {
        if Path::new(name).is_absolute() {
            return Some(PathBuf::from(name));
        }
        env::var_os("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join(name))
    }

    /// Where a local X server of this name listens; `None` for a remote one, which can only be tested by connecting to it.
    fn x11_socket(name: &str) -> Option<PathBuf> {
        let display = name.strip_prefix("unix").unwrap_or(name).strip_prefix(':')?;
        let number = display.split('.').next()?;
        Some(Path::new("/tmp/.X11-unix").join(format!("X{number}")))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_local_x_server_has_a_socket_and_a_remote_one_has_none() {
            assert_eq!(x11_socket(":99"), Some(PathBuf::from("/tmp/.X11-unix/X99")));
            assert_eq!(x11_socket(":0.1"), Some(PathBuf::from("/tmp/.X11-unix/X0")));
            assert_eq!(x11_socket("localhost:10.0"), None);
        }
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod system {
    /// Windows and macOS always have a display for programs that a user starts.
    pub fn why_none() -> Option<&'static str> {
        None
    }
}
